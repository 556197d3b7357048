"""What a step costs each of many replicas, for pools of many sizes."""
