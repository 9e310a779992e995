"""Move live traffic from EC2 to EKS behind an AWS Application Load Balancer, and back when it must."""

__version__ = "0.1.0"
