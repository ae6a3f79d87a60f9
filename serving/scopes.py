"""What a key may be allowed, and which operation needs what. Imports nothing: `--help` reads it too."""

READ = "read"
SCORE = "score"
SCOPES = {
    READ: "stored scores, stages, the model, metrics",
    SCORE: "POST score, stage and explain",
}
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
"""The pattern of a key's name."""
MAX_KEYS = 100
"""Every request is compared with all of them."""

NEEDED = {
    ("POST", "/v1/score"): SCORE,
    ("POST", "/v1/stage"): SCORE,
    ("POST", "/v1/explain"): SCORE,
    ("GET", "/v1/customers/{customer_id}"): READ,
    ("POST", "/v1/customers:batchGet"): READ,
    ("GET", "/v1/stages"): READ,
    ("GET", "/v1/model"): READ,
    ("GET", "/metrics"): READ,
    ("HEAD", "/metrics"): READ,
}
"""Operation -> scope. Any other one needs a key of any scope, which then learns that it does not exist."""
HEALTH = frozenset({"/livez", "/readyz", "/healthz"})
"""Asked by what starts and restarts the service, which has no key. They tell nothing but a status."""
STATIC = frozenset({"/static_content/swagger-ui.css", "/static_content/swagger-ui-bundle.js"})
"""What the page loads."""
DESCRIPTION = STATIC | {"/", "/openapi.json"}
"""The page that describes the API, the same for every shop. A browser cannot send a key for it."""
