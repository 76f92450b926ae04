"""OpenAI's API in front of the mesh: a model is an agent, a request is a message to one of its sessions."""
