//! What differs by operating system: processes, durable files, folders, memory.
