package arima

const maxChosen = 5
