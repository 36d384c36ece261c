"""The GPUs that TensorFlow computes on. It places a model on the first of them, if there is one."""

import tensorflow as tf


def gpus() -> list[str]:
    """Name them, in TensorFlow's order."""
    details = (tf.config.experimental.get_device_details(device) for device in tf.config.list_physical_devices("GPU"))
    return [str(of_device.get("device_name", "GPU")) for of_device in details]
