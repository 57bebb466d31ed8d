module sdk-go

go 1.24
