"""SciWorld: the real ScienceWorld simulator (Wang et al. 2022, arXiv:2203.07540), made reproducible and light.

`java` finds and starts a JVM, `backend` drives the simulator in it, `levels` decides which level a seed plays, `gold`
holds the gold paths, `oracle` follows them, `text` words the observation, `env` is the Gymnasium glue.
"""
