"""Raw material, read-only: each module knows one origin and no recipe."""
