"""The door for agents of other makers: the Agent2Agent protocol (A2A), version 1.0."""
