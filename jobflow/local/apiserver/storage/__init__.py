"""Storage: what there is and what happened, as bytes, and how it gets to the disk.

shelf    one collection: its objects, and its history for those who watch
store    all collections under one revision
sqlite   the journal that makes changes durable
"""
