from tests.purchases.patience import patient_readings

__all__ = ["patient_readings"]
