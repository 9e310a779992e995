"""An honest ALB and CloudWatch on moto, a virtual clock and a scripted mailbox: the world of a rehearsal."""
