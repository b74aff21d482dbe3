"""Plays scenarios on a real Docker host, with stand-ins that it starts, marks and removes itself.

`planner` turns a scenario's steps into a plan: the calls to the engine, in words and as they will be made. Acts, one
for each type of step, stand in `acts_containers` and `acts_traffic`. `playing` makes the calls and cleans up whatever
happens; `cleaning` removes what carries the label. Nothing without the label is ever changed.
"""
