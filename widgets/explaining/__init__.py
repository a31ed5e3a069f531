"""The pages of the explain dock."""
