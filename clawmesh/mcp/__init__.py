"""The door for clients that speak the Model Context Protocol: each agent is a tool, each session a resource."""
