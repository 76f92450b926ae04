"""Configuration: TOML files become frozen values, checked whole before anything starts.

`load.load` reads the files and checks what needs no plugin; `catalogue.check` and `signature.bind` hold the tables of
backends, tools, memories and coded agents against the signatures which the plugins registered.
"""
