module rootstock.test/lab/charts

go 1.24.2
