"""How files are written, locked and named in messages. The ground floor: everything that touches a disk uses it."""
