"""What TestGrid makes of builds, computed as its own programs do: cells, flakiness, alerts, stored states."""
