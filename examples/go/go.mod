module example/tasks

go 1.24
