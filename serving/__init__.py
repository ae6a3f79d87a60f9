"""The scoring service: BentoML runs it, FastAPI routes it, `lifestage` does the work.

In order of reading: `models` (what goes in), `answers` (what comes out), `state` (what is loaded), `score`, `stage`,
`customers` (what each endpoint does, without HTTP), `problems` (errors), `routes`, `app`, `paths`, `service` (BentoML),
`__main__` (the launcher).
"""
