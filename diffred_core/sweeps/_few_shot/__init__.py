"""Few-shot episodes of one model and task: pool, settings, and the rows of each measurement.

features --_pool--> Pool --_source, _setting--> episodes, and what oracles and estimates know of their classes
Setting --_orders, _curves, _masks, _importance, _harm--> rows --_sweep--> one table; _theory needs no features
"""
