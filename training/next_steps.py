"""What to run after another release has become the current one."""

from training.command import say


def restage(config: str) -> None:
    """Print how everybody gets the stage that the current release gives them."""
    score = f"python -m training.score --config {config}"
    say("next:")
    say(f"  {score}    # gives every stored customer their new stage")
    say(
        f"  {score} --flow-months 12    # stages the past months by this policy too, so that the flow and the "
        "lifecycle report compare like with like"
    )
    say("  a running 'make serve' takes the release up by itself within a few seconds")
