"""What AI agents talk to: the tools, resources and prompts over MCP, by socket and by HTTP."""
