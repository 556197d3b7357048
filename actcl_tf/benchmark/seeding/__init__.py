"""What ways of k-means++ seeding cost, in time and memory."""
