"""One async function per intention of a person or a program; the only place that wires parts.

Whatever door a wish comes through, the command line, the inbox or a tool call, it ends here.
"""
