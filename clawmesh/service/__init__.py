"""The mesh as a service of the machine: who starts it, and starts it again."""
