"""The promise itself: of the marks that a portrait should show, how many does it show?"""
