"""Night flow: what runs through the pipes between two and four, when a city should be asleep."""

from statistics import median

QUIET_HOURS = (2, 4)
# Litres a second below which nobody digs up a street.
WORTH_DIGGING = 0.5


def night_flow(readings):
    """The median flow in the quiet hours; `readings` are pairs of (hour, litres a second)."""
    start, end = QUIET_HOURS
    quiet = [flow for hour, flow in readings if start <= hour < end]
    return median(quiet) if quiet else None


def worth_digging(before, after):
    """Whether a rise of the night flow is large enough to look for a leak."""
    if before is None or after is None:
        return False
    return after - before >= WORTH_DIGGING
