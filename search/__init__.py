"""The service around the spaces and the oracle: data, training, studies, reports, export."""
