"""An honest ALB and CloudWatch on moto, a virtual clock and a scripted inbox: the world of a rehearsal."""
