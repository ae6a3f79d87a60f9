"""The OpenAPI page. BentoML's own loads a tracker from outside; this one asks nobody but this host."""

import base64
import hashlib

SCRIPT = """
SwaggerUIBundle({url: "./openapi.json", dom_id: "#swagger-ui", validatorUrl: null});
"""
SCRIPT_HASH = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""As the Content-Security-Policy names it: any other inline script does not run."""
PAGE = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Lifestage</title>
<link rel="stylesheet" href="./static_content/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="swagger-ui"></div>
<script src="./static_content/swagger-ui-bundle.js"></script>
<script>{SCRIPT}</script>
</body>
</html>
"""
