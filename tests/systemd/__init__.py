"""Our units under a real systemd: a guest over a throw-away layer of this machine's own root (docs/service.md)."""
