"""Measurements: any JobFlow controller over a real control plane, beside the least that could be done.

    python -m bench burst 1000          python -m bench open-loop --live 1000 --live 4000
    python -m bench restart 4000        python -m bench decode

    words -> a control plane for each contender -> a load (flows, and Volcano played) -> figures, as a table and JSON

README.md says what each figure means; docs/performance.md has what was measured. Nothing here is a test: a shared
machine stalls, so only ratios inside one run are claims.
"""
