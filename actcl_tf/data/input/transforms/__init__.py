"""What is done to frames and waveforms: decoding, crops, sizes, augmentation."""
