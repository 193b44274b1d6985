"""What a sound is made of: analysis into features, and synthesis from them."""
