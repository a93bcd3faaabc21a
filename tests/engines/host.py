"""A Ray cluster of this machine as a process: prints its address, and ends with its standard input."""

import sys

import ray

ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
