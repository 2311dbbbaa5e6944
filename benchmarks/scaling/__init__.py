"""From what one worker was measured to do, to instances, cost, and what breaks first."""
