"""`seedream-daemon mcp`: bytes between an MCP host's stdio and the daemon's socket.

Lines of the host come in, lines of the daemon go out, unchanged. The bridge only remembers what a
daemon that comes later must be told again, and speaks itself when there is none. Nothing here may
import what is large: a host starts one bridge for each of its windows. The edges are `bridge`
(stdio and the socket) and `starter` (the daemon's process).
"""
