"""What AI agents may ask for: twelve tools over the daemon, without a word of any protocol."""
