"""What operators see: logs; later metrics, health and traces."""
