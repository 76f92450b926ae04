"""OpenAI's API in front of the mesh: a model is an agent, a request is a message to one of its sessions.

**Conversations.** A request tells what was said before, and leaves nothing behind but the journal. A session is kept
that the header `X-Clawmesh-Session`, a model `agent/session` or a `conversation` names: of such a request only what
follows the assistant's last message counts. `user` keeps none: clients send it who tell their whole history. A response
goes on from `previous_response_id` with what the journal has of that; it cannot be read again.

**Answers.** An agent's own calls are not shown; what it says around them stands apart, in chunks by an empty line, in
responses as items. Calls of the caller's tools come at the end, whole. What has to fit a schema, and what comes with
an `Idempotency-Key`, is sent when it is complete, because a part of it may not be the answer. All else is sent as it
comes; where the model's call then fails and is made again, text that was sent already cannot be taken back, and the
stream ends with an error.

**Fields.** Ignored are those that are unknown, and `seed`, `presence_penalty`, `frequency_penalty`, `prediction`,
`service_tier`, `store`, `metadata`, `verbosity`, `truncation`, `include`, `strict`, `detail` and the like, which
promise nothing. Refused is what would change the meaning: more than one answer, probabilities, sound, files, tools
other than functions, a forced call where the agent has tools of its own, background work.

**Errors.** A turn that ran is not tried again by official clients (`x-should-retry: false`); what was not let in is.
"""
