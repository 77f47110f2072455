"""Peers that spread work over machines, here with this one alone."""

import logging

import tasks
from base import Pool, processors


class Ray(Pool):
    def __init__(self):
        super().__init__()
        import ray

        self.ray, self.remote = ray, {}

    def begin(self, workers):
        self.ray.init(num_cpus=workers, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
        self.workers = workers

    def new(self, workers):
        # There is one cluster a process.
        if self.ray.is_initialized():
            self.ray.shutdown()
        self.remote.clear()
        self.begin(workers)
        return workers

    def kept_pool(self, workers):
        # Starting takes seconds: one for all workloads, whatever they ask for.
        if not self.ray.is_initialized() or "all" not in self.kept:
            self.kept["all"] = self.new(max(2, processors()))
            assert self.map(None, tasks.square, range(100), None)[9] == 81
        return self.kept["all"]

    def start(self, pool, f, *args):
        if f not in self.remote:
            # Who kills a worker does not want the item to be tried again.
            self.remote[f] = self.ray.remote(max_retries=0)(f) if f is tasks.stay else self.ray.remote(f)
        return self.remote[f].remote(*args)

    def result(self, handle, timeout):
        return self.ray.get(handle, timeout=timeout)

    def call(self, pool, f, *args):
        return self.ray.get(self.start(pool, f, *args))

    def map(self, pool, f, items, chunk):
        # It has no chunks: every item is a task.
        return self.ray.get([self.start(pool, f, item) for item in items])

    def end(self, pool):
        self.ray.shutdown()
        self.kept.clear()

    def leave(self):
        # Its processes are daemons, which nobody else ends.
        self.ray.shutdown()


class Distributed(Pool):
    def new(self, workers):
        from distributed import Client, LocalCluster

        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
        return Client(cluster)

    def start(self, pool, f, *args):
        return pool.submit(f, *args, pure=False)

    def result(self, handle, timeout):
        return handle.result(timeout)

    def killed(self, handle):
        # Else it would be tried again, three times, before the next item.
        handle.cancel()

    def call(self, pool, f, *args):
        return self.start(pool, f, *args).result()

    def map(self, pool, f, items, chunk):
        options = {"batch_size": chunk} if chunk and chunk > 1 else {}
        return pool.gather(pool.map(f, list(items), pure=False, **options))

    def end(self, pool):
        cluster = pool.cluster
        pool.close()
        cluster.close()
