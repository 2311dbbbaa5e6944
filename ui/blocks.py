"""What Gradio's applications here have in common."""

import gradio as gr

_LOOKED_AGAIN_SECONDS = 0.02
_VISITORS = 400
"""Gradio keeps the rendered page of so many visitors, a megabyte each, and frees none before that."""


def made() -> gr.Blocks:
    """Empty blocks, set as a mounted application cannot be otherwise."""
    blocks: gr.Blocks = gr.Blocks(title="Boxwood", fill_width=True, analytics_enabled=False)
    blocks.state_session_capacity = _VISITORS
    # by default Gradio polls its empty queue every millisecond, which takes 6 % of a processor from the service
    blocks._queue.sleep_when_free = _LOOKED_AGAIN_SECONDS
    # a mounted application would copy any file of this machine that a visitor names, and read it as an upload
    blocks.has_launched = True
    return blocks
