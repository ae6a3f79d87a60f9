"""The store's tables, in the SQL that SQLite reads; PostgreSQL's types are put in their place by `postgres`.

Names of tables in braces stand for the run that is being published: {scores} its rows, {holding} which alert rule
holds for whom.
"""

RUNS = (
    "CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, as_of INTEGER NOT NULL, release TEXT NOT NULL,"
    " customers INTEGER NOT NULL, published INTEGER NOT NULL, is_current INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS runs_current ON runs (is_current, published)",
    "CREATE TABLE IF NOT EXISTS stage_history (customer_id TEXT NOT NULL, as_of INTEGER NOT NULL,"
    " stage TEXT NOT NULL, stage_since INTEGER, PRIMARY KEY (customer_id, as_of)) WITHOUT ROWID",
)
ALERTS = (
    "CREATE TABLE IF NOT EXISTS risk_history (customer_id TEXT NOT NULL, as_of INTEGER NOT NULL,"
    " risk TEXT NOT NULL, PRIMARY KEY (customer_id, as_of)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS alert_runs (alert TEXT NOT NULL, as_of INTEGER NOT NULL, policy TEXT,"
    " PRIMARY KEY (alert, as_of))",
    "CREATE TABLE IF NOT EXISTS alerts (customer_id TEXT NOT NULL, alert TEXT NOT NULL,"
    " entered_at INTEGER NOT NULL, label_en TEXT NOT NULL, label_zh TEXT NOT NULL, stage TEXT,"
    " previous_stage TEXT, risk TEXT, tier TEXT, clv REAL, churn_probability REAL, reasons TEXT, action TEXT,"
    " policy TEXT,"
    " release TEXT NOT NULL, PRIMARY KEY (customer_id, alert, entered_at))",
    "CREATE INDEX IF NOT EXISTS alerts_by_time ON alerts (entered_at, alert, customer_id)",
)
OUTBOX = (
    "CREATE TABLE IF NOT EXISTS messages (destination TEXT NOT NULL, message TEXT NOT NULL,"
    " place INTEGER NOT NULL, entered_at INTEGER NOT NULL, alerts INTEGER NOT NULL, state TEXT NOT NULL,"
    " attempts INTEGER NOT NULL, reason TEXT, settled_at INTEGER, PRIMARY KEY (destination, message))",
    "CREATE TABLE IF NOT EXISTS message_alerts (destination TEXT NOT NULL, customer_id TEXT NOT NULL,"
    " alert TEXT NOT NULL, entered_at INTEGER NOT NULL, message TEXT NOT NULL,"
    " PRIMARY KEY (destination, customer_id, alert, entered_at))",
    "CREATE INDEX IF NOT EXISTS alerts_of_message ON message_alerts (destination, message)",
)
NAMING = ("alerts", "message_alerts", "risk_history", "scores", "stage_history")
"""The tables that name customers, in column customer_id."""
