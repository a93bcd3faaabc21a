"""What a run will take, computed before it begins: peak memory, operations, and which weights stay in memory."""
