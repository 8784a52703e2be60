module propusk/examples/go

go 1.24
