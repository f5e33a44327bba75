"""The Debian packages in clean roots of their releases: installed, used, upgraded, removed and purged. Needs root."""
