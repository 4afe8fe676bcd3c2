"""Who may call what: one table (`rules`), who somebody is, and the gate before every RPC."""
