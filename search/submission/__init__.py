"""What a challenge asks for: the file, its pictures of a folder of photographs, the score."""
