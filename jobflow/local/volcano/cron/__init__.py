"""Volcano's CronJob controller: Jobs made at the times of a schedule.

`schedule.py` reads schedules, `decide.py` decides (pure), `runtime.py` is the loop, `admission.py` refuses.
"""
